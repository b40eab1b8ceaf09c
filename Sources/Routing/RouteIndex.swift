/// Finds, among many rules, those that a request could satisfy, by a host and a path prefix that each of them requires.
/// A tree of bytes: first the host, then the path. Each node holds the rules whose key ends there.
struct RouteIndex: Sendable {
    /// First byte of a key: a host, ``hostEnd`` and a path prefix follow.
    static let host: UInt8 = 1
    /// A host without its first label, ``hostEnd`` and a path prefix follow.
    static let hostBelow: UInt8 = 2
    /// A path prefix follows.
    static let anyHost: UInt8 = 3
    /// Never occurs in a host.
    static let hostEnd: UInt8 = 0

    /// The maximum number of keys that are prefixes of each other. Rules with longer keys join the list of the last
    /// one.
    private static let nestingMax = 8
    /// The maximum number of lists for one request.
    static let listMax = 3 * nestingMax

    struct Node: Sendable {
        /// The range of the label. For a node below another, `byte` holds its first byte, which the label omits.
        var labelStart = 0
        var labelEnd = 0
        var byte: UInt8 = 0
        var firstChild = 0
        var childCount = 0
        /// The range in `ranks` of the rules whose key ends here.
        var listStart = 0
        var listEnd = 0
    }

    private(set) var nodes: [Node] = []
    private(set) var labels: [UInt8] = []
    /// Lists of ranks, each ascending.
    private(set) var ranks: [Int] = []

    /// - Parameter rules: each with its position in the order of evaluation.
    init(_ rules: some Sequence<(rank: Int, rule: RuleExpression)>) {
        let pairs = rules.flatMap { entry in
            RequiredLiterals.keys(of: entry.rule).map { (key: $0, rank: entry.rank) }
        }
        let lists = Self.lists(of: pairs)
        guard !lists.isEmpty else { return }
        nodes = [Node()]
        fill(0, with: lists[...], from: 0)
    }

    private typealias List = (key: [UInt8], ranks: [Int])

    /// Sorted by key, in byte order.
    private static func lists(of pairs: [(key: [UInt8], rank: Int)]) -> [List] {
        let sorted = pairs.sorted { $0.key == $1.key ? $0.rank < $1.rank : $0.key.lexicographicallyPrecedes($1.key) }
        var lists: [List] = []
        // The lists whose keys are prefixes of the current key, shortest first.
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
    ///   - lists: not empty. Their keys share their first `depth` bytes, which lead to this node.
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
