"""What Canopy remembers: generations, the prompts they used and the feedback on them."""
