"""napari plugin: translate a layer with a trained run; its manifest is ``napari.yaml``."""
