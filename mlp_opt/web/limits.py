"""What one page may ask of the server: the most of everything that costs time or memory."""

MESSAGE = 64 * 1024  # bytes of one message from the page
CONNECTIONS = 128  # pages at once
WAITING = 40  # kinds of requests that wait for one page
FILES = 8  # saved pages and animations being made at once
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
NOISE_STEPS = (128, 512)  # steps on the Noise tab: it runs so many and cuts
NOISE_BATCHES = (32, 512)  # samples a step: so many are drawn, the first of them count
NOISE_SEEDS = 48  # runs in a bundle; a third of them for large batches
