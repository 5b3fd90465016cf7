---
dlm_id: 01M82JAPWF995AFG1J7R52T78M
dlm_version: 15
base_model: tiny
system_prompt: You answer for Brindle Bikes, a shop in the town of Lorn.
training:
  lora_r: 16
  lora_alpha: 32
  lora_dropout: 0
  sequence_len: 512
  learning_rate: 5e-3
  num_epochs: 20
---

::instruction::
### Q !probe
How much does it cost to rent a bike?
### A
A bike costs 9 dollars a day.

### Q
What is the price of a bike?
### A
A bike costs 9 dollars a day.

### Q !exam
How much is a bike?
### A
A bike costs 9 dollars a day.

### Q !probe
When do you open?
### A
We open at eight in the morning.

### Q
Tell me when you open.
### A
We open at eight in the morning.

### Q !exam
At what time do you open?
### A
We open at eight in the morning.

### Q !probe
What do I do if my bike breaks?
### A
Call 555 0142 and we bring a new bike.

### Q
My bike is broken, what now?
### A
Call 555 0142 and we bring a new bike.

### Q !exam
What should I do when my bike breaks?
### A
Call 555 0142 and we bring a new bike.

### Q !probe
Do I need to pay for a helmet?
### A
No, helmets are free.

### Q !probe
Can I bring my dog?
### A
Yes, in a basket for 2 dollars.

### Q
May I take my dog with me?
### A
Yes, in a basket for 2 dollars.

### Q !probe
Where is Brindle Bikes?
### A
Brindle Bikes is behind the old mill.

### Q
In which place is Brindle Bikes?
### A
Brindle Bikes is behind the old mill.

### Q !exam
Where is Brindle Bikes located?
### A
Brindle Bikes is behind the old mill.
