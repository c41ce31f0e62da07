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
PROGRAMS = 64  # expressions whose compiled programs are kept
WORKERS = 6  # threads for answers that are quick
SLOW_WORKERS = 2  # threads for maps and pages
ENTRIES = 5000  # names looked at in the folder of runs
RUNS = 300  # run folders listed
POINTS = 20_000  # networks of a sweep that are drawn; medians are of all
BOARD = 500  # trials on a leaderboard
CATEGORIES = 64  # values of a hyperparameter told by name
WEIGHTS = 2**28  # bytes of a file with the weights and curves of the best networks
KEPT = 8  # sweeps kept in memory
REPLAY = 90.0  # seconds that training a trial again may take
EPOCHS = 4096  # rows of a history that are sent
SIDE = 401  # points on a side of a loss plane
PATHS = 16  # optimizers on one, lines between their solutions: PATHS * 8
