"""The mathematics of recurrent networks as readable float64 NumPy. The tests compare every fast kernel with it.

cells            the equations of each recurrent cell, forward and backward: start with `elman`
network          several layers over time; `output` has the softmax and the loss, `dropout` the masks
state            the arrays that a network carries from one time step to the next
parameters       names and shapes; `initialization` and `orthogonal` compute the initial values
growth           add characters to a trained network
optimizers       clipping, learning-rate schedules and updates
gradient_check   compare every element of every gradient with numerical derivatives, on copies made by `perturbation`;
                 `gradient_survey` repeats the check for every kind of network

Letters: T time steps, B streams (the batch), L layers, H hidden units, K symbols (characters), D inputs of a layer
(K in the first layer, H in the others). x_t is the input of step t, y_t its target, h_t the hidden state after it.
"""
