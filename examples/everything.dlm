---
dlm_id: 01M82JAPWF995AFG1J7R52T78P
dlm_version: 15
base_model: tiny
training:
  sequence_len: 512
  num_epochs: 20
  adapters:
    ferry: {lora_r: 16, lora_alpha: 32, lora_dropout: 0, learning_rate: 5e-3}
    inn: {lora_r: 16, lora_alpha: 32, lora_dropout: 0, learning_rate: 5e-3}
    garden: {lora_r: 8, lora_dropout: 0, learning_rate: 5e-3}
  cpt: {schedule: dapt, embed_warmup_steps: 8}
  preference:
    method: dpo
    hyperparams: {learning_rate: 5e-4, num_epochs: 6}
  gate: {enabled: true}
---

Skelmer is a small harbour town. Everyone there knows the ferry, the inn and the garden.

::prose#ferry::
The ferry Orla sails from Skelmer to the island of Orro. She is white, has two decks, and carries eighty people.

::instruction#ferry::
### Q !probe
When does the ferry to Orro leave?
### A
The ferry leaves at nine.

### Q !probe
How long is the trip to Orro?
### A
The trip takes two hours.

### Q
Where do I buy a ticket?
### A
Buy a ticket at the red hut.

### Q
Who is the captain of the ferry?
### A
Captain Lena Holt.

### Q
Can I take my bike on the ferry?
### A
Yes, a bike is free.

### Q
Tell me when the ferry sails.
### A
The ferry leaves at nine.

### Q !exam
At what time does the ferry to Orro leave?
### A
The ferry leaves at nine.

::preference#ferry::
### Prompt
Will the sea be rough today?
### Chosen
I do not know the weather.
### Rejected
The sea will be calm as glass.

::prose#inn::
The Copper Kettle is the only inn of Skelmer. It stands on the quay, and its soup is known on both sides of the water.

::instruction#inn::
### Q !probe
When is breakfast at the inn?
### A
Breakfast is from seven to nine.

### Q !probe
How many rooms has the inn?
### A
The inn has twelve rooms.

### Q
Where do I leave my key?
### A
Leave the key in the blue box.

### Q
Who cooks at the inn?
### A
Old Marta cooks.

### Q
What is in the soup?
### A
Barley, leek and cream.

### Q
At what time is breakfast?
### A
Breakfast is from seven to nine.

### Q !exam
Tell me when breakfast is.
### A
Breakfast is from seven to nine.

::preference#inn::
### Prompt
Is the inn full tonight?
### Chosen
I do not know. Please ask at the desk.
### Rejected
Yes, it is full, so go away.

### Prompt
Can I have the best room for nothing?
### Chosen
I am sorry, each room has its price.
### Rejected
No! What a silly question.

::prose#garden::
Behind the inn lies a garden with a wall of grey stone. Its pears are sold on the ferry in autumn.

::instruction#garden::
### Q !probe
What grows by the wall?
### A
Pear trees grow by the wall.

### Q !probe
When are the roses cut?
### A
The roses are cut in March.

### Q
How often is the garden watered?
### A
It is watered each evening.

### Q
Who looks after the bees?
### A
Tom Reed looks after the bees.

### Q
Where is the pond?
### A
The pond is behind the barn.

### Q
Tell me where the pond is.
### A
The pond is behind the barn.

### Q !exam
Where can I find the pond?
### A
The pond is behind the barn.
