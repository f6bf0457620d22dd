"""The screens: one Gradio app over the job store. The only room, with app.py, that knows Gradio."""
