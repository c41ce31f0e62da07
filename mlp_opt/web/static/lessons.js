// Presets with a paragraph each, in the order of the notes. `state` is laid over a fresh state.

const only = (methods) => Object.fromEntries(Object.entries(methods).map(([name, [rate, options = {}]]) => [name, { rate, options, shown: true }]));

export const LESSONS = [
  {
    id: "saddle", title: "The saddle",
    text: "At a saddle the gradient vanishes, but nothing is won. Plain gradient descent walks down to it and then waits: the way out grows "
      + "by the same small factor at each step, from almost nothing. Momentum adds up those small pushes. The adaptive rules divide by the size of the gradient, so "
      + "the weak direction gets steps as long as the strong one, and they leave at once. Drag the start towards y = 0 and away from it.",
    state: { surface: "saddle", start: [-1.5, 0.001], steps: 120, focus: "sgd", show: { gradient: true },
      methods: only({ sgd: [0.05], momentum: [0.05], adagrad: [0.4, { initial_accumulator_value: 0 }], rmsprop: [0.03], adam: [0.05] }) },
  },
  {
    id: "ravine", title: "The ravine, and momentum",
    text: "A valley a hundred times steeper across than along. The rate has to suit the steep walls, so along the floor gradient descent creeps. "
      + "The velocity m ← μ m − α g averages: across the valley the gradients alternate and cancel, along it they add up, at last to 1/(1 − μ) times a step. "
      + "Nesterov's variant looks ahead and swings less. Move μ and see it overshoot.",
    state: { surface: "quadratic", steps: 150, focus: "momentum", show: { velocity: true },
      methods: only({ sgd: [0.0185], momentum: [0.012, { momentum: 0.9 }], nesterov: [0.0095, { momentum: 0.9 }] }) },
  },
  {
    id: "stall", title: "AdaGrad stalls",
    text: "AdaGrad divides by the root of the sum of all squared gradients so far. The sum only grows: one steep stretch at the beginning, and every later step is small. "
      + "The square drawn at the ball has that sum as its area. Watch it swell on the wall and never shrink on the floor, while momentum and Adam go on.",
    state: { surface: "rosenbrock", start: [-1.5, 2.4], steps: 500, focus: "adagrad", show: { squares: true },
      methods: only({ adagrad: [0.1, { initial_accumulator_value: 0 }], momentum: [8e-4], adam: [0.05] }) },
  },
  {
    id: "forget", title: "RMSProp forgets",
    text: "The same square, but as a moving average: v ← β v + (1 − β) g². After the cliff the gradient is small. AdaGrad still divides by what it met on the cliff and barely moves; "
      + "RMSProp has forgotten it after about 1/(1 − β) steps, and walks on. Its price: the steps no longer fade, and close to a minimum it jitters by about α.",
    state: { surface: "cliff", start: [0.3, 1.2], steps: 200, focus: "rmsprop", show: { squares: true },
      methods: only({ adagrad: [0.05, { initial_accumulator_value: 0 }], rmsprop: [0.02, { decay: 0.9 }] }) },
  },
  {
    id: "bias", title: "Adam's bias correction",
    text: "v starts at 0 and averages over a thousand gradients, so at first it is far too small: v = 0.001 g² after one step. RMSProp divides by its root and leaps 32 times too far. "
      + "Adam divides v by 1 − β₂ᵗ first. Here Adam has β₁ = 0: it is RMSProp but for that correction. Open step by step at step 0 and compare the two roots.",
    state: { surface: "global_minimum", start: [1.5, 1.2], steps: 100, focus: "adam", t: 3, inside: 0, show: { step: true },
      methods: only({ rmsprop: [0.02, { decay: 0.999 }], adam: [0.02, { b1: 0, b2: 0.999 }] }) },
  },
  {
    id: "rate", title: "A rate too high",
    text: "On a quadratic of curvature λ each step multiplies the error by 1 − αλ. Below α = 2/λ it shrinks, above it grows; here λ is 100, so the limit is 0.02. "
      + "Gradient descent stands at 0.0198 and rings for a long time. Push its slider a little past 0.02, and it leaves the picture. Momentum bears almost twice as much, 2(1 + μ)/λ.",
    state: { surface: "quadratic", start: [-1.6, 0.9], steps: 120, focus: "sgd", methods: only({ sgd: [0.0198], momentum: [0.0198, { momentum: 0.9 }] }) },
  },
];
