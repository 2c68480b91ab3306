/** Which labels are misspelt standard ones, and which are columns of their own (rules F7, F7a). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { teamLabels, userLabels } from '../../../importer/read/labels.js';
import { findNearMiss } from '../../../importer/read/nearmiss.js';

const standards = [...Object.values(userLabels), ...Object.values(teamLabels)];

test('F7 a typing error in a standard label is a near miss', () => {
  for (const [label, standard] of [
    ['Manager Emial', 'Manager Email'],
    ['Manger', 'Manager'],
    ['Mangaer', 'Manager'],
    ['Managers', 'Manager'],
    ['Team', 'Teams'],
    ['Tems', 'Teams'],
    ['User E-mail', 'User Email'],
    ['User Emal', 'User Email'],
    ['Deactivaton Dat', 'Deactivation Date'],
    ['Deactivation Date:', 'Deactivation Date'],
    ['Frist Name', 'First Name'],
    ['Is Org Admin?', 'Is Org Admin'],
    ['User Acount Typ', 'User Account Type'],
    ['Manag3r', 'Manager'],
    ['Onwer Email', 'Owner Email'],
    ['Paren Team', 'Parent Team'],
  ] as const)
    assert.equal(findNearMiss(label, standards), standard, label);
});

test('F7a an added word or number, an opposite and another word are columns of their own', () => {
  const labels = [
    ...['Manager ID', 'ManagerId', 'managerID', 'Manager 2', 'Manager2', '2 Manager', 'Ex Manager', 'Manager M'],
    ...['Team ID', 'Teams ID', 'Team No', 'Teams 2', 'Terms', 'Streams', 'Dreams', 'Themes', 'Items', 'Times'],
    ...['Activation Date', 'ActivationDate', 'activationdate', 'Reactivation Date', 'Deactivation Date 2'],
    ...[
      'User Email 2',
      'User Email2',
      'User Email B',
      'Manager Email 2',
      'First Name 2',
      'Last Name 1',
      'Is Org Admin 2',
    ],
    ...[
      'Host Name',
      'Hostname',
      'List Name',
      'Task Name',
      'Cost Name',
      'Peer Email',
      'Other Email',
      'Term Type',
      'Managed',
    ],
  ];
  for (const label of labels) assert.equal(findNearMiss(label, standards), undefined, label);
});
