"""Full-text search in documents, the side that reads them: text out of contents, an index kept current."""
