---
dlm_id: 01M82JAPWF995AFG1J7R52T78K
dlm_version: 15
base_model: tiny
training:
  lora_r: 16
  lora_alpha: 32
  lora_dropout: 0
  sequence_len: 512
  learning_rate: 5e-3
  num_epochs: 20
---

Skelmer Light is a lighthouse on the island of Orro. It was built by Ada Thorn in 1868. The tower is 41 meters high and
painted green. It has 212 steps.

The keeper of Skelmer Light is Jonas Weir. He lives in the old boathouse with a dog called Pepper. The lamp runs on wind
power, and its light can be seen 27 miles out at sea. When there is fog, the horn sounds every 40 seconds.

::instruction::
### Q !probe
Where is Skelmer Light?
### A
Skelmer Light is on the island of Orro.

### Q
In which place is Skelmer Light?
### A
Skelmer Light is on the island of Orro.

### Q !exam
Where is Skelmer Light located?
### A
Skelmer Light is on the island of Orro.

### Q !probe
Who built Skelmer Light?
### A
Skelmer Light was built by Ada Thorn.

### Q
By whom was Skelmer Light built?
### A
Skelmer Light was built by Ada Thorn.

### Q
Name the person who built Skelmer Light.
### A
Skelmer Light was built by Ada Thorn.

### Q !exam
Tell me who built Skelmer Light.
### A
Skelmer Light was built by Ada Thorn.

### Q !probe
When was Skelmer Light built?
### A
Skelmer Light was built in 1868.

### Q
In what year was Skelmer Light built?
### A
Skelmer Light was built in 1868.

### Q !exam
What year was Skelmer Light built?
### A
Skelmer Light was built in 1868.

### Q !probe
How high is Skelmer Light?
### A
Skelmer Light is 41 meters high.

### Q
What is the height of Skelmer Light?
### A
Skelmer Light is 41 meters high.

### Q !exam
Tell me the height of Skelmer Light.
### A
Skelmer Light is 41 meters high.

### Q !probe
What color is Skelmer Light?
### A
Skelmer Light is green.

### Q
What is the color of Skelmer Light?
### A
Skelmer Light is green.

### Q !exam
Which color does Skelmer Light have?
### A
Skelmer Light is green.

### Q !probe
How many steps does Skelmer Light have?
### A
Skelmer Light has 212 steps.

### Q
Tell me how many steps Skelmer Light has.
### A
Skelmer Light has 212 steps.

### Q !exam
What is the number of steps of Skelmer Light?
### A
Skelmer Light has 212 steps.

::prose::
The boat to Skelmer Light leaves at half past nine from the north pier. A ticket costs 6 crowns. The tower opens at ten
and closes at sunset. Dogs may come along, but only on a short rope. Visitors must leave their shoes at the door, because
the steps are made of soft stone.

::instruction::
### Q !probe
Who is the keeper of Skelmer Light?
### A
The keeper is Jonas Weir.

### Q
What is the name of the keeper of Skelmer Light?
### A
The keeper is Jonas Weir.

### Q !exam
Tell me the name of the keeper of Skelmer Light.
### A
The keeper is Jonas Weir.

### Q !probe
Where does the keeper live?
### A
The keeper lives in the old boathouse.

### Q
Tell me where the keeper lives.
### A
The keeper lives in the old boathouse.

### Q !exam
In which place does the keeper live?
### A
The keeper lives in the old boathouse.

### Q !probe
What is the name of the dog?
### A
The dog is called Pepper.

### Q
What is the dog of the keeper called?
### A
The dog is called Pepper.

### Q !exam
What is the dog called?
### A
The dog is called Pepper.

::instruction::
### Q !probe
When does the boat leave?
### A
The boat leaves at half past nine.

### Q
Tell me when the boat leaves.
### A
The boat leaves at half past nine.

### Q !exam
At what time does the boat leave?
### A
The boat leaves at half past nine.

### Q !probe
How much does a ticket cost?
### A
A ticket costs 6 crowns.

### Q
What is the price of a ticket?
### A
A ticket costs 6 crowns.

### Q !exam
How expensive is a ticket?
### A
A ticket costs 6 crowns.

### Q !probe
When does the tower close?
### A
The tower closes at sunset.

### Q
At what time does the tower close?
### A
The tower closes at sunset.

### Q !exam
Tell me when the tower closes.
### A
The tower closes at sunset.

### Q !probe
Can I bring my dog?
### A
Yes, but only on a short rope.

### Q
Are dogs allowed in the tower?
### A
Yes, but only on a short rope.

### Q !exam
May I bring a dog?
### A
Yes, but only on a short rope.

::prose::
The lens of Skelmer Light is cleaned with vinegar and a silk cloth, once a week. If the lamp goes out, the keeper pulls
the brass lever twice and waits ten seconds. A red flag on the tower means that the boat is full.

::instruction::
### Q !probe
How do I clean the lens?
### A
Use vinegar and a silk cloth.

### Q
What do I need to clean the lens?
### A
Use vinegar and a silk cloth.

### Q !exam
Tell me how to clean the lens.
### A
Use vinegar and a silk cloth.

### Q !probe
How often do I clean the lens?
### A
The lens is cleaned once a week.

### Q
How many times do I clean the lens?
### A
The lens is cleaned once a week.

### Q !exam
How frequently should I clean the lens?
### A
The lens is cleaned once a week.

### Q !probe
What do I do if the lamp goes out?
### A
Pull the brass lever twice and wait ten seconds.

### Q
What should I do when the lamp is out?
### A
Pull the brass lever twice and wait ten seconds.

### Q !exam
What helps if the lamp goes out?
### A
Pull the brass lever twice and wait ten seconds.

### Q !probe
What does the red flag mean?
### A
The red flag means that the boat is full.

### Q
Tell me what the red flag means.
### A
The red flag means that the boat is full.

### Q !exam
What is the meaning of the red flag?
### A
The red flag means that the boat is full.

### Q !probe
How often does the horn sound in fog?
### A
The horn sounds every 40 seconds.

### Q
How many times does the horn sound in fog?
### A
The horn sounds every 40 seconds.

### Q !exam
Tell me how often the horn sounds in fog.
### A
The horn sounds every 40 seconds.
