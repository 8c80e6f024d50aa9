"""From a trained cell to metrics, samples and exported predictions. Trains nothing."""
