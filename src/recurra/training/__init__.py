"""A training, from a text to a folder with the best model and the record of how it came about.

trainer     the loop, a generator of `events`: read it first; `loss_history` keeps the losses, `selection` the best
run         `train` and `resume`: the task, the folder, the listeners and the end
checkpoint  all that is needed to go on, in one file; `recovery` finds it again, `resuming` goes on with it
files       their names in `run_files`; `logs` has events, `run_toml` the settings; `lock` keeps a second trainer out
text        `learning_text` reads and cuts it; `provenance` tells which text a model has learned
end         `summary` and `findings`: what summary.json holds; `proof` checks the gradients
processes   `crew` leads several, `helper` is what the others do, `torchrun_restart` what is started again
"""
