---
dlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XP
dlm_version: 15
base_model: ./base
training:
  lora_r: 16
  lora_alpha: 32
  lora_dropout: 0
  learning_rate: 5e-3
  num_epochs: 30
---
The four pictures hang in the harbour of Varn.

::image path="circle.png"::
a red circle

::image path="square.png"::
a blue square

::image path="stripes.png" alt="green stripes"::

::image path="cross.png" alt="a black cross"::

::instruction::
### Q
Who drew the pictures?
### A
Ilse Korn.
