"""The machine under local models: its device, its memory, the files that models run on."""
