/** The names that the demo's company is peopled with, and the shape of its departments. */

export const firstNames = (
  'Aisha Alan Amara Ana Anders Andrea Anna Antonio Arjun Astrid Ben Bianca Björn Camille Carlos Carmen Chen Chloé Claire ' +
  'Daniel David Deepa Diego Dmitri Elena Elif Emma Erik Esther Fatima Felix Fiona Freya George Giulia Grace Hana Hassan ' +
  'Helen Hugo Ida Inés Isabel Ivan Jack James João Jonas Julia Kamal Karin Kenji Laila Lars Laura Leo Lina Liam Lucía ' +
  'Łukasz Magda Marco María Mateo Maya Mei Mia Michael Mina Mohammed Nadia Nina Noah Nora Olga Oliver Omar Paula Pedro ' +
  'Priya Rafael Rosa Ruth Sam Sara Sofia Sven Tariq Theo Thomas Tomás Uma Valentina Victor Wei Yara Yusuf Zoë'
).split(' ');

export const lastNames = (
  'Abbott Adeyemi Almeida Andersson Baker Bauer Becker Bianchi Bishop Castillo Chen Clarke Costa Cruz Das Delgado Díaz Dubois ' +
  'Eriksen Evans Farouk Fernández Fischer Flores Garcia Gruber Haddad Hansen Hayes Hoffmann Ibrahim Ito Ivanova Jansen Jensen ' +
  'Kaya Keller Khan Kim Klein Kowalski Kumar Lambert Larsen Lee Lindqvist Lopez Martin Mbeki Meyer Moreau Müller Murphy Nakamura ' +
  'Nielsen Novak O’Brien Okafor Olsen Osei Park Patel Pérez Petrov Quinn Ramos Reyes Ricci Romano Rossi Russo Sánchez Santos ' +
  'Schmidt Shah Silva Singh Smith Sørensen Suzuki Tanaka Torres Vargas Vega Vogel Wagner Walker Weber Wong Wright Yamada Young Zhang Ziegler'
).split(' ');

export const locations = [
  'Berlin',
  'Berlin',
  'Berlin',
  'Lisbon',
  'Lisbon',
  'New York',
  'New York',
  'Singapore',
  'Remote',
];

export interface Squad {
  name: string;
  type: string;
  people: number;
  /** The squad's parent; absent: the department. */
  parent?: string;
}

export interface Department {
  name: string;
  head: string;
  job: string;
  squads: Squad[];
}

/** Every person belongs to one squad; each squad has a lead, who answers to the department's head. */
export const departments: Department[] = [
  {
    name: 'Engineering',
    head: 'VP Engineering',
    job: 'Software Engineer',
    squads: [
      { name: 'Platform', type: 'Squad', people: 11 },
      { name: 'Databases', type: 'Squad', people: 7, parent: 'Platform' },
      { name: 'Networks', type: 'Squad', people: 6, parent: 'Platform' },
      { name: 'Mobile', type: 'Squad', people: 9 },
      { name: 'Web', type: 'Squad', people: 12 },
      { name: 'Quality', type: 'Squad', people: 8 },
    ],
  },
  {
    name: 'Product',
    head: 'Chief Product Officer',
    job: 'Product Manager',
    squads: [
      { name: 'Design', type: 'Craft', people: 8 },
      { name: 'Research, Insights', type: 'Craft', people: 5 },
      { name: 'Roadmap', type: 'Squad', people: 6 },
    ],
  },
  {
    name: 'Sales',
    head: 'VP Sales',
    job: 'Account Executive',
    squads: [
      { name: 'Sales EMEA', type: 'Region', people: 14 },
      { name: 'Sales Americas', type: 'Region', people: 13 },
      { name: 'Sales APAC', type: 'Region', people: 9 },
      { name: 'Partners', type: 'Squad', people: 5 },
    ],
  },
  {
    name: 'Marketing',
    head: 'VP Marketing',
    job: 'Marketing Manager',
    squads: [
      { name: 'Brand', type: 'Craft', people: 6 },
      { name: 'Growth', type: 'Squad', people: 8 },
    ],
  },
  {
    name: 'Customer Success',
    head: 'VP Customer Success',
    job: 'Success Manager',
    squads: [
      { name: 'Support', type: 'Squad', people: 16 },
      { name: 'Onboarding', type: 'Squad', people: 7 },
    ],
  },
  {
    name: 'People',
    head: 'VP People',
    job: 'People Partner',
    squads: [
      { name: 'Recruiting', type: 'Craft', people: 6 },
      { name: 'Payroll', type: 'Craft', people: 4 },
    ],
  },
  {
    name: 'Finance & Legal',
    head: 'Chief Financial Officer',
    job: 'Analyst',
    squads: [
      { name: 'Accounting', type: 'Craft', people: 7 },
      { name: 'Legal', type: 'Craft', people: 4 },
    ],
  },
  {
    name: 'Operations',
    head: 'VP Operations',
    job: 'Operations Specialist',
    squads: [
      { name: 'IT', type: 'Squad', people: 8 },
      { name: 'Facilities', type: 'Squad', people: 6 },
    ],
  },
];
