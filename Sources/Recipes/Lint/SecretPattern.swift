/// Texts that are probably secrets: those with a form that their issuers gave them, and values of variables that are named like secrets.
package enum SecretPattern {
    private static var forms: [(kind: String, pattern: Regex<Substring>)] {
        [
            ("a private key", /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:[^-]*-----END (?:[A-Z]+ )*PRIVATE KEY-----)?/),
            ("an AWS access key", /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/), ("a GitHub token", /\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{22,}/),
            ("a GitLab token", /\bglpat-[A-Za-z0-9_-]{20,}/), ("a Slack token", /\bxox[abprs]-[A-Za-z0-9-]{10,}/), ("an npm token", /\bnpm_[A-Za-z0-9]{36}/),
            ("a PyPI token", /\bpypi-[A-Za-z0-9_-]{50,}/), ("a Stripe key", /\b[sr]k_live_[A-Za-z0-9]{16,}/),
            ("a Google API key", /\bAIza[A-Za-z0-9_-]{35}/),
            ("a JSON Web Token", /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/),
            ("a URL with a password", /[a-z][a-z0-9+.-]*:\/\/[^\/\s:@$]+:[^\/\s:@$]+@/),
        ]
    }

    /// What it looks like; nil when it looks like none.
    static func kind(of text: String) -> String? { forms.first { text.contains($0.pattern) }?.kind }

    /// The text with `***` for all that looks like a secret by its form.
    package static func masked(_ text: String) -> String { forms.reduce(text) { $0.replacing($1.pattern, with: "***") } }

    /// Whether the text itself says that it is no secret.
    static func isPlaceholder(_ text: String) -> Bool { text.lowercased().contains(/placeholder|stand-?in|not-a-|fake|dummy|example/) }

    /// Whether the value of a variable of this name is a secret by what it is called.
    package static func isSecret(name: String, value: String) -> Bool {
        guard name.uppercased().contains(/(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|PRIVATE_KEY|CREDENTIALS?)($|_)/) else { return false }
        // A path, a switch, a number or a place to be filled is none.
        if value.hasPrefix("/") || value.contains("$") || value.count < 6 { return false }
        return !["true", "false", "localhost", "changeme", "example", "disabled", "enabled"].contains(value.lowercased())
    }
}
