"""The training loop: it computes and yields events, prints nothing, and writes nothing but checkpoints.

trainer        the loop, a generator of `events`: read it first
loss_history   the smooth loss and the means of epochs; `selection` keeps the best model
snapshot       the state from which a training resumes
time_budget    how many updates fit into a time limit; `divergence` finds a training that got worse
"""
