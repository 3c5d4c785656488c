"""The run directory: its files, writing them during a training, and resuming a run.

layout         the name and the place of every file: read it first; `run_directory` creates and locks the directory
run            `train` and `resume`: connect the text, the trainer, the run directory and the listeners
saved_model    the model file for a path, and `load`
checkpoints    write the checkpoint files; `checkpoint_schema` checks their metadata; `recovery` finds the newest
               undamaged checkpoint; `resuming` prepares a training from it
run_toml       the settings; `logs` writes a line for each event; `records` reads both for the report; `curves` thins
               the records
provenance     read the text of a run again; `source_list` has the files of the text
summary        the contents of summary.json, with `findings` and `gradient_proof`
restart        find the run that torchrun started again

A crash loses the updates since the last durable checkpoint. A training starts a checkpoint every 30 seconds by default
(setting checkpoint_every). A resumed run repeats these updates and ends with the same bytes as an uninterrupted run.
"""
