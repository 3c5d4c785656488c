"""The mathematics as readable equations in float64: the truth by which every kernel is judged.

cells            one step of each recurrent cell, forward and backward: start with `elman`
network          layers of cells over time; `output` has the softmax and the loss, `dropout` the masks
state            the arrays that a network carries from one time step to the next
parameters       names and shapes; `initialization` and `orthogonal` have the initial values
growth           add characters to a trained network
optimizers       clipping, schedules and updates
gradient_check   the proof of the gradients, element by element, on copies made by `perturbation`; `gradient_survey`
                 repeats it for every kind of network
"""
