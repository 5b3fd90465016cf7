---
dlm_id: 01M82JAPWF995AFG1J7R52T78N
dlm_version: 15
base_model: tiny
training:
  lora_r: 16
  lora_alpha: 32
  lora_dropout: 0
  sequence_len: 512
  learning_rate: 5e-3
  num_epochs: 20
  sources_policy: strict
  sources:
    - path: handbook
      include: ["**/*.md"]
      exclude: ["drafts/**"]
---

The Copper Kettle is an inn in the valley of Merin. Its handbook lies beside this document, in the folder `handbook`.

::instruction::
### Q !probe
When is breakfast at the Copper Kettle?
### A
Breakfast is from seven to nine.

### Q
At what time is breakfast?
### A
Breakfast is from seven to nine.

### Q !exam
Tell me when breakfast is.
### A
Breakfast is from seven to nine.

### Q !probe
Where do I leave my key?
### A
Leave the key in the blue box by the door.

### Q
What do I do with my key?
### A
Leave the key in the blue box by the door.

### Q
What is in the soup?
### A
The soup is made of barley, leek and cream.

### Q
Who locks the door at night?
### A
Nils Marsh locks the door at ten.
