/// The binding that a client carries, sealed, in the affinity cookie. Only authentic hints become values of this type.
///
/// Times are in seconds since 1970 by the wall clock, because hints outlive processes.
package struct Hint: Hashable, Sendable {
    package var binding: Binding
    /// When the session began.
    package var createdAtSeconds: UInt32
    /// When this hint was sealed.
    package var issued: UInt32

    package init(binding: Binding, createdAtSeconds: UInt32, issued: UInt32) {
        self.binding = binding
        self.createdAtSeconds = createdAtSeconds
        self.issued = issued
    }
}
