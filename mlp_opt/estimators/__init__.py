"""scikit-learn estimators whose training is a lane: MLPClassifier, MLPRegressor."""
