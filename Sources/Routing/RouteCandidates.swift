/// The rules that a request could satisfy, in the order of evaluation.
struct RouteCandidates {
    struct Cursor {
        var position: Int
        let end: Int
    }

    private let index: RouteIndex
    /// The next position in each list.
    private let cursors: UnsafeMutableBufferPointer<Cursor>
    private var count = 0

    /// - Parameter cursors: has room for `RouteIndex.listMax`.
    init(_ index: RouteIndex, for facts: RequestFacts, in cursors: UnsafeMutableBufferPointer<Cursor>) {
        self.index = index
        self.cursors = cursors
        let host = facts.host
        collect(RouteKey(RouteIndex.host, host: host, path: facts.path))
        if let dot = host.firstIndex(of: UInt8(ascii: ".")) {
            let parent = UnsafeRawBufferPointer(rebasing: host[dot...])
            collect(RouteKey(RouteIndex.hostBelow, host: parent, path: facts.path))
        }
        collect(RouteKey(RouteIndex.anyHost, host: nil, path: facts.path))
    }

    /// Nil if there are none left.
    mutating func next() -> Int? {
        var rank = Int.max
        for place in 0..<count where cursors[place].position < cursors[place].end {
            rank = min(rank, index.ranks[cursors[place].position])
        }
        guard rank < Int.max else { return nil }
        for place in 0..<count where cursors[place].position < cursors[place].end {
            if index.ranks[cursors[place].position] == rank { cursors[place].position += 1 }
        }
        return rank
    }

    /// Descends the tree as far as the key leads, and collects the lists on the way.
    private mutating func collect(_ key: RouteKey) {
        var key = key
        guard var node = index.nodes.first else { return }
        while true {
            for place in node.labelStart..<node.labelEnd {
                guard key.next() == index.labels[place] else { return }
            }
            if node.listStart < node.listEnd, count < cursors.count {
                cursors[count] = Cursor(position: node.listStart, end: node.listEnd)
                count += 1
            }
            guard node.childCount > 0, let byte = key.next(), let child = child(of: node, at: byte) else { return }
            node = child
        }
    }

    private func child(of node: RouteIndex.Node, at byte: UInt8) -> RouteIndex.Node? {
        var (low, high) = (node.firstChild, node.firstChild + node.childCount)
        while low < high {
            let middle = (low + high) / 2
            if index.nodes[middle].byte < byte { low = middle + 1 } else { high = middle }
        }
        guard low < node.firstChild + node.childCount, index.nodes[low].byte == byte else { return nil }
        return index.nodes[low]
    }
}

/// The bytes with which a request is looked up in a ``RouteIndex``, one at a time.
struct RouteKey {
    private let kind: UInt8
    private let host: UnsafeRawBufferPointer?
    private var path: PercentDecoding
    /// -1: the kind is next. The host's count: the host's end marker is next.
    private var position = -1

    init(_ kind: UInt8, host: UnsafeRawBufferPointer?, path: UnsafeRawBufferPointer) {
        self.kind = kind
        self.host = host
        self.path = PercentDecoding(path, .path)
    }

    mutating func next() -> UInt8? {
        guard position < host?.count ?? -1 || position < 0 else { return afterHost() }
        defer { position += 1 }
        return position < 0 ? kind : host?[position].lowercased
    }

    private mutating func afterHost() -> UInt8? {
        guard let host, position == host.count else { return path.next() }
        position += 1
        return RouteIndex.hostEnd
    }
}
