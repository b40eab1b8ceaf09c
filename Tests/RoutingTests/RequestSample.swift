import Routing

/// A request as bytes, for rules to look at.
struct RequestSample: RoutableRequest {
    private let storage: Storage
    private let fields: [(name: String, value: String)]
    let clientAddress: AddressRange.Bits?

    /// Keeps the bytes in place for as long as anybody may look.
    private final class Storage {
        let host: UnsafeMutableRawBufferPointer
        let path: UnsafeMutableRawBufferPointer
        let query: UnsafeMutableRawBufferPointer?
        let method: UnsafeMutableRawBufferPointer

        init(host: String, path: String, query: String?, method: String) {
            self.host = Self.copy(host)
            self.path = Self.copy(path)
            self.query = query.map(Self.copy)
            self.method = Self.copy(method)
        }

        deinit {
            for buffer in [host, path, method] { buffer.deallocate() }
            query?.deallocate()
        }

        private static func copy(_ text: String) -> UnsafeMutableRawBufferPointer {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 1)
            buffer.copyBytes(from: text.utf8)
            return buffer
        }
    }

    /// - Parameter target: path and query.
    init(
        _ target: String = "/", method: String = "GET", host: String = "",
        fields: [(name: String, value: String)] = [], client: [UInt8]? = nil
    ) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        storage = Storage(host: host, path: parts[0], query: parts.count > 1 ? parts[1] : nil, method: method)
        self.fields = fields
        clientAddress = client.map(AddressRange.Bits.init(packet:))
    }

    var host: UnsafeRawBufferPointer { UnsafeRawBufferPointer(storage.host) }
    var path: UnsafeRawBufferPointer { UnsafeRawBufferPointer(storage.path) }
    var query: UnsafeRawBufferPointer? { storage.query.map { UnsafeRawBufferPointer($0) } }
    var method: UnsafeRawBufferPointer { UnsafeRawBufferPointer(storage.method) }

    func hasField(named lowercasedName: UnsafeRawBufferPointer, where isWanted: (UnsafeRawBufferPointer) -> Bool)
        -> Bool
    {
        fields.contains { field in
            field.name.lowercased().utf8.elementsEqual(lowercasedName)
                && Array(field.value.utf8).withUnsafeBytes(isWanted)
        }
    }
}
