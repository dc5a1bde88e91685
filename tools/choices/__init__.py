"""What Canopy's decision makes of choices that real people made, and the pictures of it in the documentation."""
