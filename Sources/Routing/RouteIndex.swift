/// Finds, of many rules, those that a request could satisfy, by a host and the beginning of a path that each of them
/// needs. A tree of bytes: host, then path, each node with the rules whose key ends there.
struct RouteIndex: Sendable {
    /// The first byte of a key: what follows is a host, ``hostEnd`` and a beginning of the path.
    static let host: UInt8 = 1
    /// What follows is a host without its first label, ``hostEnd`` and a beginning of the path.
    static let hostBelow: UInt8 = 2
    /// What follows is the beginning of a path.
    static let anyHost: UInt8 = 3
    /// No host holds it.
    static let hostEnd: UInt8 = 0

    /// Of the keys that one request's host and path begin with. Rules of longer keys join those of the last one.
    private static let nestingMax = 8
    /// Lists that one request can lead to.
    static let listMax = 3 * nestingMax

    struct Node: Sendable {
        /// Of the label; the first byte of a node below another one stands in `byte` instead.
        var labelStart = 0
        var labelEnd = 0
        var byte: UInt8 = 0
        var firstChild = 0
        var childCount = 0
        /// Of the rules whose key ends here.
        var listStart = 0
        var listEnd = 0
    }

    private(set) var nodes: [Node] = []
    private(set) var labels: [UInt8] = []
    /// Lists of ranks, each ascending.
    private(set) var ranks: [Int] = []

    /// - Parameter rules: each with the place in which it is asked.
    init(_ rules: some Sequence<(rank: Int, rule: RuleExpression)>) {
        let pairs = rules.flatMap { entry in
            NecessaryLiterals.keys(of: entry.rule).map { (key: $0, rank: entry.rank) }
        }
        let lists = Self.lists(of: pairs)
        guard !lists.isEmpty else { return }
        nodes = [Node()]
        fill(0, with: lists[...], from: 0)
    }

    private typealias List = (key: [UInt8], ranks: [Int])

    /// By key, in the order of bytes.
    private static func lists(of pairs: [(key: [UInt8], rank: Int)]) -> [List] {
        let sorted = pairs.sorted { $0.key == $1.key ? $0.rank < $1.rank : $0.key.lexicographicallyPrecedes($1.key) }
        var lists: [List] = []
        // Those lists whose keys the current one begins with, the shortest first.
        var outer: [Int] = []
        for (key, rank) in sorted {
            while let last = outer.last, !key.starts(with: lists[last].key) { outer.removeLast() }
            if let last = outer.last, outer.count == nestingMax || lists[last].key == key {
                lists[last].ranks.append(rank)
            } else {
                outer.append(lists.count)
                lists.append((key, [rank]))
            }
        }
        return lists.map { ($0.key, Set($0.ranks).sorted()) }
    }

    /// - Parameters:
    ///   - lists: not empty; their keys agree in their first `depth` bytes, which lead to this node.
    private mutating func fill(_ node: Int, with lists: ArraySlice<List>, from depth: Int) {
        guard let first = lists.first, let last = lists.last else { return }
        var end = depth
        while end < first.key.count, end < last.key.count, first.key[end] == last.key[end] { end += 1 }
        nodes[node].labelStart = labels.count
        labels += first.key[depth..<end]
        nodes[node].labelEnd = labels.count
        var below = lists
        if first.key.count == end {
            nodes[node].listStart = ranks.count
            ranks += first.ranks
            nodes[node].listEnd = ranks.count
            below = below.dropFirst()
        }
        let groups = Self.groups(of: below, byByteAt: end)
        let firstChild = nodes.count
        nodes[node].firstChild = firstChild
        nodes[node].childCount = groups.count
        nodes += groups.map { Node(byte: $0.first?.key[end] ?? 0) }
        for (index, group) in groups.enumerated() { fill(firstChild + index, with: group, from: end + 1) }
    }

    private static func groups(of lists: ArraySlice<List>, byByteAt place: Int) -> [ArraySlice<List>] {
        var groups: [ArraySlice<List>] = []
        var rest = lists
        while let byte = rest.first?.key[place] {
            let group = rest.prefix { $0.key[place] == byte }
            groups.append(group)
            rest = rest[group.endIndex...]
        }
        return groups
    }
}
