"""The stages of an edit, each in a file: text, vae, transformer, denoise; `edit` runs them one after the other.

Whatever imports this package pays seconds for torch: only functions do.
"""
