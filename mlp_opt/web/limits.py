"""What one page may ask of the server: the most of everything that costs time or memory."""

MESSAGE = 64 * 1024  # bytes of one message from the page
CONNECTIONS = 128  # pages at once
STEPS = 2048  # gradients a race
LANES = (256, 512, 1024, STEPS)  # a race runs so many steps and is cut: hence few programs
METHODS = 15  # optimizers in one race
GRID = 161  # heights of a surface, a side
BASINS = 192  # starts of a map of basins, a side
HEAT = (40, 32)  # learning rates and second numbers of a heat map
SURFACES = 64  # surfaces whose heights are kept
PROGRAMS = 64  # expressions and networks whose compiled programs are kept
POINTS = 500  # of a set that the Playground makes
OWN_ROWS = 1000  # rows of data pasted there
OWN_TEXT = 40_000  # characters of them
HIDDEN = (6, 8)  # hidden layers, and units of each
RULES = 6  # optimizers side by side there
EPOCHS = 64  # epochs of training a request
EPOCH_STEPS = 4096  # or so many updates, if that is less
MOST_EPOCHS = 20_000  # epochs of a training
RUNS = 160  # trainings kept, the latest used
MAP = 100  # points of a map of outputs, a side
WORKERS = 6  # threads for answers that are quick
SLOW_WORKERS = 2  # threads for maps and pages
