"""Training: one loop that yields events. It prints nothing, and it writes files only through its caller.

trainer        the loop, a generator of `events`: read it first
loss_history   the smooth loss and the means of epochs; `selection` keeps the best model
snapshot       the state from which a training resumes
time_budget    how many updates fit into a time limit; `divergence` finds a training that got worse
"""
