"""Descriptions to fill in, one for each format."""

from __future__ import annotations

_HEAD = '''identifier = "Lovelace2026"                 # author and year
summary = "Responses of V4 neurons of two macaques to photographs."
licence = "CC-BY-4.0"
cite_file = "citation.bib"                  # or cite = """@article{...}"""
species = ["macaque"]
degrees = 8.0                               # width of the images in degrees of visual angle, or "unknown"
duration = 100                              # ms, or "unknown"

[stimuli]
folder = "images"                           # of files; without a table their names are the identifiers
# table = "stimuli.csv"                     # columns stimulus_id, filename, and what else is known of them
# same_width = true                         # images of several sizes, all `degrees` wide
# pixels_per_degree = 32                    # ... or at one scale, in the place of `degrees`
'''

TEMPLATES = {
    "table": _HEAD
    + """
[[recording]]
file = "rates.csv"                          # one row a trial; several files or patterns are a list
stimulus = "stimulus_id"                    # column
neuroids = "unit_*"                         # columns; without it, columns neuroid_id and value, a row a value
units = "spikes/s"
region = "V4"
subject = "monkey A"
# neuroid_table = "units.csv"               # neuroid_id, region, subject, ... where they differ
# repetition = "trial"                      # column that orders the trials of a stimulus
# time_unit = "ms"                          # of the columns time_bin_start and time_bin_end, if there are any
""",
    "arrays": _HEAD
    + """
[[recording]]
file = "responses.mat"                      # or .npz, .npy
values = "rates"                            # variable; "struct.field", or "FILE#NAME" in another file
dims = ["presentation", "neuroid", "repetition"]
coords.stimulus_id = "image_names"          # variable, or "FILE#NAME"
# coords.neuroid_id = "unit_names"
# coords.region = "areas"                   # where they differ
# time_bins = [[0, 10], [10, 20]]           # ms after onset, for dims with time_bin
units = "spikes/s"
region = "V4"
subject = "monkey A"
""",
    "nwb": _HEAD
    + """
[[recording]]
file = "sub-*/*.nwb"                        # species, subject and regions come from the files
presentations = "trials"                    # table of intervals
stimulus = "stimulus_id"                    # its column
windows = [[70, 170]]                       # ms after onset in which spikes are counted
# where.quality = "good"                    # units that count
# skip = ["blank"]                          # presentations of nothing
# region = "V4"                             # where the files do not say it
# across_sessions = "same"                  # units of one name in several files are the "same" neurons, or "different"
""",
    "bids": _HEAD
    + """
[[recording]]
format = "bids"
file = "derivatives/betas/sub-*/func/*_betas.nii.gz"    # one volume a trial; or *_timeseries.tsv
events = "sub-{sub}/func/*_events.tsv"
stimulus = "stim_file"                      # column of the events
regions.V1 = "derivatives/masks/sub-{sub}/*_label-V1_mask.nii.gz"
units = "percent"
# windows = [[4000, 8000]]                  # ms after onset, of time series
# where.trial_type = "image"                # events that count
""",
    "choices": _HEAD
    + """
# fitting = "examples.csv"                  # stimulus_id, filename, label: from these, models learn the choices

[[recording]]
kind = "choices"                            # the table of stimuli has the right answers in a column "label"
file = "answers.csv"                        # one row an answer: stimulus_id, subject, choice
""",
}
