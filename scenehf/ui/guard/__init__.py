"""What stands between the network and Gradio: every request passes `layer.Guard`, on a laptop as on a public Space."""
