"""Training: one loop that yields events. The loop prints nothing, and only its caller writes files.

trainer        the loop, a generator of `events`: read it first
loss_history   the smooth loss and the means of epochs; `selection` keeps the best model
snapshot       the state from which a training resumes
time_budget    the number of updates that fit into a time limit; `divergence` detects a rising loss

A training has two losses. The smooth loss averages the losses on the training text and shows progress. The held-out
loss is computed on text that the model was not trained on: quote this one as the result.
"""
