"""Taking a picture apart: plan, engines, checks, recomposition."""
