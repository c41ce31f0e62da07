// The Noise tab's presets, in the order of the notes. `state` is laid over a fresh state.

export const LESSONS = [
  {
    id: "three", title: "Three descents",
    text: "One rule, w ← w − α g, and one learning rate; the three differ only in the samples that g averages. Gradient descent takes all 569 and walks smoothly down. "
      + "SGD takes one, a step costs next to nothing, and it staggers. Minibatch SGD takes b: move the slider and it turns from the one into the other. "
      + "The map is no sketch. The model has two parameters, a weight and a bias, so these contours are the true loss of all samples.",
    state: { show: { seeds: false, spread: false } },
  },
  {
    id: "unbiased", title: "Unbiased",
    text: "Each arrow is the way that one sample would pull the ball. They disagree, yet their mean is the full gradient, to the last digit that the machine has. "
      + "So a step on a sample drawn at random is right on average: it is an unbiased estimate. On the right, the means of b samples crowd round the full gradient, "
      + "inside an ellipse with the covariance Σ/b. Four times the batch halves it.",
    state: { batch: 16, t: 6, show: { seeds: false, spread: false, samples: true } },
  },
  {
    id: "ball", title: "The noise ball",
    text: "The start is the minimum itself, and still every run leaves it: the samples' gradients are zero on average there, not one by one. "
      + "The runs spread until the pull of the valley balances the kicks of the noise, and then wander in a ball. For this loss its radius is close to √(α/b): "
      + "a quarter of the rate or four times the batch, and it is half as wide. The dashed ellipse is theory.",
    state: { start: [-3.642, 0.643], rate: 2, batch: 8, steps: 300, methods: { gd: false, sgd: false } },
  },
  {
    id: "decay", title: "A rate that decays",
    text: "A constant rate never leaves its noise ball. Here α falls to zero along half a cosine: large steps first, to arrive, then smaller and smaller ones, and the ball shrinks with them. "
      + "It ends flat: across the valley the pull is strong and the runs close up, along its floor it is weak, and the rate was gone before it had done its work. "
      + "Play it, then set the schedule to constant and compare where the runs end.",
    state: { schedule: "cosine", rate: 6, batch: 8, steps: 300, methods: { sgd: false } },
  },
  {
    id: "size", title: "Which batch size?",
    text: "Against the steps, more samples always look better. Against the samples seen, which is what a step costs, SGD is far down before gradient descent has taken its first step. "
      + "The noise scale tr Σ / |G|² says how far a larger batch pays: below it, noise drowns the signal and twice the batch saves half the steps; far above it, "
      + "the extra samples only confirm what is known. Scrub to the end: the closer to the minimum, the larger it grows.",
    state: { axis: "samples", batch: 16, steps: 200, t: 3, show: { seeds: false, spread: false } },
  },
  {
    id: "shuffle", title: "Each sample once",
    text: "Training rarely draws with replacement. It shuffles, and visits every sample once an epoch; what one batch overestimates, the rest of the epoch makes good. "
      + "The runs end closer together than theory says, which takes every draw as independent. Set the samples back to “with replacement”, and see them fill the ellipse.",
    state: { draw: "reshuffle", start: [-3.642, 0.643], rate: 2, batch: 32, steps: 300, methods: { gd: false, sgd: false } },
  },
];
