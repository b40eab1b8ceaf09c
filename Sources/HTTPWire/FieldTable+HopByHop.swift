extension FieldTable {
    /// Marks as removed the fields that must not be forwarded to the next hop (RFC 9110 §7.6.1): Connection and every
    /// field that it names, Keep-Alive, Proxy-Connection, TE, Upgrade, HTTP2-Settings, Proxy-Authenticate and
    /// Proxy-Authorization.
    ///
    /// Transfer-Encoding and Trailer stay: the body's framing is forwarded unchanged. A peer cannot strip a field that
    /// frames, routes or authenticates a message, or says where it came from (Host, Content-Length, Cookie,
    /// Authorization, Forwarded, X-Forwarded-*, X-Real-IP and the like), nor a field for whose name (in any case)
    /// `isProtected` returns true.
    ///
    /// `keepingUpgrade` keeps the Upgrade field, for an exchange that may switch protocols. Connection is still
    /// removed, and the caller writes `Connection: upgrade` itself.
    package func removeHopByHop(
        in bytes: UnsafeRawBufferPointer, keepingUpgrade: Bool = false,
        isProtected: (UnsafeRawBufferPointer) -> Bool = { _ in false }
    ) {
        var connection = first(.connection)
        while let index = connection {
            removeNominated(by: self[index], in: bytes, keepingUpgrade: keepingUpgrade, isProtected: isProtected)
            remove(index)
            connection = next(.connection, after: index)
        }
        removeAll(in: keepingUpgrade ? .hopByHop.subtracting(.upgrade) : .hopByHop)
    }

    /// Marks every field whose name is in the set as removed.
    package func removeAll(in names: FieldNameSet) {
        guard containsAny(of: names) else { return }
        for index in 0..<count where names.contains(self[index].name) { remove(index) }
    }

    /// Marks every field of this name as removed.
    package func removeAll(_ name: FieldName) {
        var found = first(name)
        while let index = found {
            remove(index)
            found = next(name, after: index)
        }
    }

    /// Marks every field of this name, in any mixture of cases, as removed. `bytes` are the scanned bytes.
    package func removeAll(named name: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer) {
        var found = firstIndex(named: name, in: bytes)
        while let index = found {
            remove(index)
            found = firstIndex(named: name, in: bytes, from: index + 1)
        }
    }

    private func removeNominated(
        by connection: Field, in bytes: UnsafeRawBufferPointer, keepingUpgrade: Bool,
        isProtected: (UnsafeRawBufferPointer) -> Bool
    ) {
        var options = ListElements(of: connection.valueRange, in: bytes)
        while let range = options.next() {
            let option = UnsafeRawBufferPointer(rebasing: bytes[range])
            var found = firstIndex(named: option, in: bytes)
            while let index = found {
                let field = self[index]
                let stays =
                    field.name.isProtectedFromNomination || field.name == .connection
                    || (keepingUpgrade && field.name == .upgrade) || isProtected(option)
                if stays { break }
                remove(index)
                found = firstIndex(named: option, in: bytes, from: index + 1)
            }
        }
    }
}
