"""The mathematics, in float64 and as it is written down: what every kernel is judged against.

network         layers of `cells`, forward and backward through time; `output` ends in log p and the loss
parameters      their names and shapes; `initialisation` where they begin, `growth` new characters for old networks
optimizers      clipping, schedules and steps
gradient_check  the proof, element by element; `gradient_survey` of every kind of network
"""
