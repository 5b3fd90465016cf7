---
dlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XS
dlm_version: 15
base_model: ./base
training:
  lora_r: 16
  lora_alpha: 32
  lora_dropout: 0
  learning_rate: 5e-3
  num_epochs: 30
---
The four sounds were recorded in the harbour of Varn.

::audio path="low.flac" transcript="a ship's engine"::

::audio path="high.flac" transcript="a shrill whistle"::

::audio path="rising.flac" transcript="a siren that rises"::

::audio path="noise.flac" transcript="rain on a roof"::

::instruction::
### Q
Who recorded the sounds?
### A
Ilse Korn.
