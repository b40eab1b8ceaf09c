/// The dynamic configuration as its sources say it: what they said last, and what of it is in force.
struct ReloadSources: Equatable {
    /// What one reading takes.
    struct Inputs: Equatable {
        /// The main file, whose `http` counts.
        var main: SourceText
        /// The files of the file provider.
        var provided: [SourceText] = []
        var containers: [DockerContribution] = []

        var files: [SourceText] { [main] + provided }
    }

    private(set) var newest: Inputs
    /// What the running configuration was made from.
    private(set) var inForce: Inputs
    /// Why the files of the file provider cannot be had now; empty while they can.
    private(set) var unreadable: [Mistake] = []
    /// Files that were refused, and need not be read again as they stand.
    private var refused: [SourceText]?

    init(_ inputs: Inputs) {
        newest = inputs
        inForce = inputs
    }

    /// What the file provider has found. Returns whether it is something new.
    mutating func found(_ files: ProvidedFiles) -> Bool {
        let old = (newest.provided, unreadable)
        switch files {
        case .texts(let texts): (newest.provided, unreadable) = (texts, [])
        case .unreadable(let mistakes): unreadable = mistakes
        }
        return old != (newest.provided, unreadable)
    }

    /// What Docker has found. Returns whether it is something new.
    mutating func found(_ containers: [DockerContribution]) -> Bool {
        defer { newest.containers = containers }
        return containers != newest.containers
    }

    /// The main file has been read again.
    mutating func found(main: SourceText) { newest.main = main }

    /// What is to be read: all that is new; or, where the files cannot be had or are known to be wrong, the containers
    /// with the files that are in force. Nil: nothing.
    func next(isDemanded: Bool) -> Inputs? {
        guard unreadable.isEmpty, isDemanded || refused != newest.files else { return containersAlone }
        return newest
    }

    /// The newest containers beside the files that are in force; nil where they are in force already.
    var containersAlone: Inputs? {
        guard newest.containers != inForce.containers else { return nil }
        var inputs = inForce
        inputs.containers = newest.containers
        return inputs
    }

    /// The running configuration is made from these now.
    mutating func accepted(_ inputs: Inputs) {
        inForce = inputs
        if inputs.files == newest.files { refused = nil }
    }

    /// These were refused.
    mutating func refused(_ inputs: Inputs) { refused = inputs.files }
}

/// What the file provider finds when it looks.
enum ProvidedFiles: Equatable, Sendable {
    case texts([SourceText])
    case unreadable([Mistake])
}
