import TLS

extension SettingValue {
    private static let daySeconds: Int64 = 86_400
    /// How long before its end a certificate is warned of.
    private static let noticeDays: Int64 = 30

    /// Warns of a certificate that has expired or is about to, or is not valid yet.
    ///
    /// - Parameters:
    ///   - name: of its file, with a space; empty for PEM text, which is not shown.
    ///   - refusal: what happens then, as in "clients refuse it".
    ///   - now: seconds since 1970.
    func warn(of facts: CertificateFacts, _ name: String, _ refusal: String, now: Int64) {
        let left = facts.notAfter - now
        let date = CertificateFacts.date(facts.notAfter)
        if left < 0 {
            warning("\(name)expired on \(date), and \(refusal): renew it")
        } else if left < Self.noticeDays * Self.daySeconds {
            let days = left / Self.daySeconds
            warning("\(name)expires on \(date), in \(days) day\(days == 1 ? "" : "s")")
        } else if facts.notBefore > now {
            warning("\(name)is not valid before \(CertificateFacts.date(facts.notBefore)): \(refusal)")
        }
    }
}
