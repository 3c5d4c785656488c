"""The directory of a run: what lies in it, how it is written while a network learns, and how a run is resumed.

layout         the name and the place of every file: read it first; `run_directory` makes and holds the directory
run            `train` and `resume`: the task, the directory, the trainer, the listeners and the end
saved_model    the model file that a path means, and `load`
checkpoints    one file each; `checkpoint_schema` checks their metadata, `recovery` finds the newest
               whole one, `resuming` prepares to go on with it
run_toml       the settings; `logs` the lines of events; `records` reads all of them for the report, and
               `curves` thins them out
provenance     the text of a run, read again; `source_list` has its files
summary        what summary.json holds at the end, with `findings` and `gradient_proof`
restart        a run that torchrun has started again
"""
