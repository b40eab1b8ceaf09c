package import Affinity

/// The way to the other replicas, as the fleet's judge uses it: on the judge's event loop alone.
package protocol FleetChannel: AnyObject {
    /// How far the coherence channel is.
    var lease: FleetMessage.Lease { get }

    /// Sends the payload to everyone who listens, this replica included. Returns false where it cannot be sent now.
    func publish(_ payload: [UInt8]) -> Bool

    /// Whether all replicas that are heard are configured alike; told when it changes, true at first.
    func configurationsAgree(_ agree: Bool)
}
