"""Training: what fit, evaluate and predict do, knowing models, losses and optimisers by their methods alone."""
