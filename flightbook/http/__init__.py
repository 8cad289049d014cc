"""The HTTP form shared by all apps: strict JSON, problem documents, pages, limits. It knows no app."""
