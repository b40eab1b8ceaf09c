package import Configuration

/// Hides the values of query parameters that carry session keys.
package struct QueryRedaction: Sendable {
    private static let replacement = Array("REDACTED".utf8)

    private let names: [[UInt8]]

    package init(names: some Sequence<String>) {
        self.names = names.map { Array($0.utf8) }
    }

    /// Hides the parameters of all given services.
    package init(_ services: [ServiceSettings]) {
        self.init(names: Self.names(services))
    }

    /// The names of the parameters that carry session keys.
    static func names(_ services: [ServiceSettings]) -> Set<String> {
        Set(
            services.flatMap { $0.sticky?.sources ?? [] }
                .compactMap { source in
                    if case .query(let name) = source { return name }
                    return nil
                })
    }

    /// The target with `name=REDACTED` for each parameter with one of these names, however the name is encoded. A
    /// parameter begins after `?`, `&` and `;`. A hidden value ends only at `&`, because `;` may be part of it.
    func redact(_ target: UnsafeRawBufferPointer) -> [UInt8] {
        var result = Array(target)
        guard !names.isEmpty, let mark = target.firstIndex(of: UInt8(ascii: "?")) else { return result }
        result.removeSubrange((mark + 1)...)
        var position = mark + 1
        while position < target.count {
            let isHidden = hidesParameter(at: position, of: target)
            let end = target[position...].firstIndex { byte in
                byte == UInt8(ascii: "&") || (byte == UInt8(ascii: ";") && !isHidden)
            }
            let next = end.map { $0 + 1 } ?? target.count
            if isHidden {
                let equals = target[position...].firstIndex(of: UInt8(ascii: "=")) ?? position
                result += target[position...equals] + Self.replacement
                if let end { result.append(target[end]) }
            } else {
                result += target[position..<next]
            }
            position = next
        }
        return result
    }

    private func hidesParameter(at start: Int, of target: UnsafeRawBufferPointer) -> Bool {
        let name = target[start...].prefix { ![UInt8(ascii: "="), UInt8(ascii: "&"), UInt8(ascii: ";")].contains($0) }
        guard name.endIndex < target.count, target[name.endIndex] == UInt8(ascii: "=") else { return false }
        return names.contains(Self.decoded(name))
    }

    private static func decoded(_ name: Slice<UnsafeRawBufferPointer>) -> [UInt8] {
        var bytes: [UInt8] = []
        var position = name.startIndex
        while position < name.endIndex {
            let byte = name[position]
            position += 1
            if byte == UInt8(ascii: "%"), position + 2 <= name.endIndex,
                let value = UInt8(String(decoding: name[position..<position + 2], as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                position += 2
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return bytes
    }
}
