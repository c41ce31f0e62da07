// Presets with a paragraph each, following the notes. `state` is laid over a fresh state; `play`: it starts to train.

const rule = (name, rate, options = {}) => ({ name, rate, options });

export const LESSONS = [
  {
    id: "vanish", title: "Vanishing gradients",
    text: "Backpropagation goes down layer by layer, δ[l−1] = W[l]ᵀ δ[l] ⊙ σ′(a[l−1]): a series of multiplications, and the sigmoid’s σ′ is never above ¼. With six hidden layers the "
      + "gradient that arrives at layer 1 is thousands of times smaller than the last one’s (the chart “Gradient by layer”), and the loss stays at log 2 = 0.69, a coin’s guess. Now tick "
      + "Residual: z[l] = σ(a[l]) + z[l−1] hands the gradient down unchanged. Or choose relu, whose σ′ is 1 wherever a unit is active.",
    state: { data: "circle", hidden: [8, 8, 8, 8, 8, 8], activation: "sigmoid", rules: [rule("sgd", 0.3)], log: false },
  },
  {
    id: "rate", title: "A rate too high",
    text: "Three times the same network from the same weights, only the learning rate α differs. A small α creeps. A larger one is quick. Beyond 2/λ, λ the steepest curvature of the loss, every step "
      + "w ← w − α g jumps further up the opposite wall than it came down, and with the squared error nothing holds it: after a few steps the numbers are too large for a computer and become “not a number”. "
      + "Choose the network of the last one to see that nothing is left of it. Then move its rate down and press reset.",
    state: { data: "bumps", hidden: [8, 8], activation: "relu", init: "he_normal", rules: [rule("sgd", 0.003), rule("sgd", 0.03), rule("sgd", 0.6)], shown: 1, log: true },
  },
  {
    id: "spiral", title: "The spiral needs width or features",
    text: "A network can learn any continuous function if it has units enough; with two inputs and four hidden units this one has not. It bends its boundary a few times and then gets no further. "
      + "Give it width: two layers of eight. Better inputs help, too: press sin x and sin y at the left. Features that suit the problem do the work of layers.",
    state: { data: "spiral", hidden: [4], activation: "tanh", rules: [rule("adam", 0.02)] },
  },
  {
    id: "overfit", title: "Overfitting",
    text: "Fifty noisy points and a large network. The training loss goes to nothing: every point is learned by heart, its noise too. The test loss (dashed), on points that were never trained on, "
      + "falls at first and then rises. Show the test data and see what the islands on the map cost. The notes’ cure is regularization: raise L2, L1 or dropout a little, "
      + "or give it more data with the share trained on.",
    state: { data: "circle", noise: 0.3, share: 0.1, hidden: [8, 8, 8], activation: "tanh", rules: [rule("adam", 0.02)], test: true },
  },
  {
    id: "rules", title: "Four rules, one network",
    text: "Gradient descent, momentum, RMSProp and Adam on the same network, from the same weights and through the same batches. Momentum adds up past gradients, m ← μ m − α g. "
      + "RMSProp divides each weight’s step by the size of its own recent gradients, √v. Adam does both. Press a name to see its network.",
    state: { data: "spiral", features: ["x", "y", "sinx", "siny"], hidden: [8, 6], shown: 3, log: true,
      rules: [rule("sgd", 0.03), rule("momentum", 0.03, { momentum: 0.9 }), rule("rmsprop", 0.01), rule("adam", 0.01)] },
  },
  {
    id: "zeros", title: "Why weights start at random",
    text: "Here every weight starts at 0. All units of a layer compute the same, so they get the same gradient and stay the same for ever: the layer is as good as one unit. Worse, with tanh every z is 0, "
      + "so δ[l−1] = W[l]ᵀ δ[l] is 0 too, and nothing but the last bias learns (look at the gradient by layer). Choose another initializer, or press a line and give a single weight a value of your own.",
    state: { data: "xor", init: "zeros", hidden: [4, 4], rules: [rule("sgd", 0.1)] },
  },
];

export const EXPLORE = "Press play. Each square shows what a unit makes of every point of the plane: orange below zero, blue above. Lines are weights, thick where they are large. "
  + "Point at a unit to see it large; press a unit or a line to set its numbers yourself.";
