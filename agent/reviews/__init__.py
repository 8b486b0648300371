"""Questions only a person can answer: asked once, answered by a word that acts, closed when they went away."""
