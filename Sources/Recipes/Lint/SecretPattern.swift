/// Texts that are probably secrets: those with a form that their issuers gave them, and values of variables that are named like secrets.
enum SecretPattern {
    /// What it looks like; nil when it looks like none.
    static func kind(of text: String) -> String? {
        if text.contains(/-----BEGIN ([A-Z]+ )*PRIVATE KEY-----/) { return "a private key" }
        if text.contains(/\b(AKIA|ASIA)[0-9A-Z]{16}\b/) { return "an AWS access key" }
        if text.contains(/\bgh[pousr]_[A-Za-z0-9]{36,}/) || text.contains(/\bgithub_pat_[A-Za-z0-9_]{22,}/) { return "a GitHub token" }
        if text.contains(/\bglpat-[A-Za-z0-9_-]{20,}/) { return "a GitLab token" }
        if text.contains(/\bxox[abprs]-[A-Za-z0-9-]{10,}/) { return "a Slack token" }
        if text.contains(/\bnpm_[A-Za-z0-9]{36}/) { return "an npm token" }
        if text.contains(/\bpypi-[A-Za-z0-9_-]{50,}/) { return "a PyPI token" }
        if text.contains(/\b[sr]k_live_[A-Za-z0-9]{16,}/) { return "a Stripe key" }
        if text.contains(/\bAIza[A-Za-z0-9_-]{35}/) { return "a Google API key" }
        if text.contains(/\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/) { return "a JSON Web Token" }
        if text.contains(/[a-z][a-z0-9+.-]*:\/\/[^\/\s:@$]+:[^\/\s:@$]+@/) { return "a URL with a password" }
        return nil
    }

    /// Whether the text itself says that it is no secret.
    static func isPlaceholder(_ text: String) -> Bool { text.lowercased().contains(/placeholder|stand-?in|not-a-|fake|dummy|example/) }

    /// Whether the value of a variable of this name is a secret by what it is called.
    static func isSecret(name: String, value: String) -> Bool {
        guard name.uppercased().contains(/(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|PRIVATE_KEY|CREDENTIALS?)($|_)/) else { return false }
        // A path, a switch, a number or a place to be filled is none.
        if value.hasPrefix("/") || value.contains("$") || value.count < 6 { return false }
        return !["true", "false", "localhost", "changeme", "example", "disabled", "enabled"].contains(value.lowercased())
    }
}
