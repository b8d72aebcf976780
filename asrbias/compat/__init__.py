"""Other decoders' interfaces over our search."""
