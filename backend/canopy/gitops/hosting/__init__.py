"""Opens pull requests at the hosts of Git repositories: Gitea and Forgejo, GitHub, GitLab."""
