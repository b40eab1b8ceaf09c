/// Records that a replica has written, as the store held them when it published them: a message speaks in the order of
/// the store.
package struct Announcement: Hashable, Sendable {
    /// The maximum number of records in one message.
    package static let recordsMax = 64
    /// The longest lifetime that a record can have, in milliseconds: 4/3 of the longest idle timeout, a year.
    package static let lifetimeMaxMilliseconds: Int64 = 365 * 24 * 60 * 60 * 1000 / 3 * 4

    package struct Item: Hashable, Sendable {
        package let fingerprint: Fingerprint
        /// With a positive lifetime of at most ``Announcement/lifetimeMaxMilliseconds``, counted from the publication.
        package let record: StoredRecord

        package init(_ fingerprint: Fingerprint, _ record: StoredRecord) {
            self.fingerprint = fingerprint
            self.record = record
        }
    }

    /// The process that wrote the records.
    package let instance: UInt64
    /// Whether the sender has written records that it will not announce.
    package let hasLeftOut: Bool
    package let items: [Item]

    package init(instance: UInt64, hasLeftOut: Bool, items: [Item]) {
        self.instance = instance
        self.hasLeftOut = hasLeftOut
        self.items = items
    }
}
