"""What joins several methods: methods know nothing of each other, a recipe knows several."""
